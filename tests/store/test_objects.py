from __future__ import annotations

import errno
import os
import pickle
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench_lib.core.errors import BadStore, BadValue, BenchError, Unavailable
from bench_lib.core.record import RunRecord
from bench_lib.store import (
    Address,
    Claims,
    Keeper,
    Looks,
    Store,
    claims,
    compact,
    connection,
    located,
    merge,
    read_looks,
    repeats,
    store_of_repeats,
    verify,
    write_looks,
)
from bench_lib.store import objects as module
from bench_lib.store.claims import COMPACTION, LEASE, Holder
from bench_lib.store.damage import Unwritable
from bench_lib.store.predictions import reading
from tests.buckets import BROKEN, BUSY, DENIED, SKEWED, Fault, Server

Make = Callable[..., RunRecord]


@pytest.fixture
def store(bucket: Address) -> Store:
    return Store(bucket)


@pytest.fixture
def filled(store: Store, make: Make) -> Store:
    for seed in (2, 0, 1):
        for task in ("sst2", "conll2003"):
            store.append(make(seed, task=task))
    return store


def test_an_address_reads_as_it_is_written_and_is_no_path_of_a_file() -> None:
    address = located("s3://bench-1/some/results/")
    assert isinstance(address, Address)
    assert str(address / "runs") == "s3://bench-1/some/results/runs"
    assert address.key == "some/results"
    assert pickle.loads(pickle.dumps(address)) == address
    with pytest.raises(TypeError):
        os.fspath(address)
    assert located("results") == Path("results") == located(Path("results"))


@pytest.mark.parametrize(
    "text", ["s3://", "s3:///x", "s3://b/../c", "http://host/x", "s3a://b/x", "file:///tmp", "s3://b/x?y=1", "gs:// b"]
)
def test_an_address_of_no_bucket_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match=r"allowed: a folder, or s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, az://"):
        located(text)


def test_runs_are_read_as_they_were_written(store: Store, make: Make) -> None:
    record = make(3)
    assert store.records() == []
    store.check_writable()
    assert not list(store.root.rglob())
    store.append(record)
    assert [found.columns() for found in store.records()] == [record.columns()]
    predictions = store.predictions(record.run_id)
    assert predictions is not None
    assert record.predictions is not None
    np.testing.assert_array_equal(predictions.values, record.predictions.values)
    assert store.attempts(record.run_id) == {record.run_id: 1}
    assert store.records([record.run_id])[0].run_id == record.run_id
    assert pickle.loads(pickle.dumps(store)).ids() == {record.run_id}
    assert verify(store) == []


def test_the_row_is_put_last(store: Store, make: Make, s3: Server) -> None:
    store.append(make(weights={"a": np.zeros(2, np.float32)}))
    puts = [path.split("/results/")[1].split("/")[0] for method, path in s3.plan.requests if method == "PUT"]
    assert puts == ["weights", "predictions", "runs"]


def test_whether_a_run_is_stored_takes_as_many_requests_however_many_are(filled: Store, make: Make, s3: Server) -> None:
    asked = []
    for seed in (9, 0):
        s3.plan.requests.clear()
        place = filled.path("runs", make(seed))
        assert filled.attempts(make(seed).run_id, place) == ({make(0).run_id: 1} if seed == 0 else {})
        asked.append([(method, "list-type" in path, "delimiter" in path) for method, path in s3.plan.requests])
    assert asked[0] == [("HEAD", False, False), ("GET", True, True)]
    assert not any(listed and not delimited for _, listed, delimited in asked[1])


def test_of_many_writers_of_a_run_one_wins_and_none_is_doubled(bucket: Address, make: Make) -> None:
    def write(host: int) -> None:
        Store(bucket).append(make(provenance={"host": str(host)}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    store = Store(bucket)
    assert len(store.files("runs")) == len(store.files("predictions")) == len(store.records()) == 1


@pytest.mark.parametrize(("first", "second", "kept"), [(1, 1, "first"), (1, 2, "second"), (2, 1, "first")])
def test_a_later_attempt_takes_the_place_of_an_earlier_one(
    store: Store, make: Make, first: int, second: int, kept: str
) -> None:
    lost = {"status": "crashed", "score": None, "predictions": None}
    store.append(make(attempts=first, provenance={"host": "first"}))
    store.append(make(attempts=second, provenance={"host": "second"}, **lost))
    assert [record.provenance["host"] for record in store.records()] == [kept]
    # Predictions are those of the run that stands.
    assert (store.predictions(make().run_id) is None) == (kept == "second")


def test_damage_is_set_aside_and_the_run_can_be_made_again(filled: Store, make: Make) -> None:
    path = filled.path("runs", make(0))
    assert isinstance(path, Address)
    for number in (1, 2):
        content = path.read_bytes()
        path.write_bytes(content[:-9])
        assert verify(filled)[0].startswith(f"{path} is damaged")
        store = Store(filled.root)
        assert len(store.ids()) == 5
        assert [file for file, _ in store.set_aside] == [path.relative_to(filled.root).as_posix()]
        aside = filled.root / "quarantine" / path.relative_to(filled.root).as_posix()
        aside = aside if number == 1 else aside.with_name(f"{aside.name}.2")
        assert aside.read_bytes() == content[:-9]
        store.append(make(0))
    assert len(Store(filled.root).ids()) == 6


def test_compacted_runs_are_the_same_bytes_as_in_a_folder(filled: Store, tmp_path: Path, make: Make) -> None:
    folder = Store(tmp_path / "results")
    merge(folder, filled)
    records = filled.records()
    assert compact(filled) == compact(folder) == 6
    for store in (filled, Store(filled.root)):
        assert store.records() == records
        assert store.predictions(make(1).run_id) is not None
    for kind in ("runs", "predictions"):
        ours, theirs = filled.files(kind), folder.files(kind)
        assert [path.name for path in ours] == [path.name for path in theirs]
        assert [path.read_bytes() for path in ours] == [path.read_bytes() for path in theirs]
    assert verify(filled) == []
    assert not list((filled.root / "claims").rglob())


def test_of_large_objects_what_is_read_is_fetched(filled: Store, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    compact(filled)
    monkeypatch.setattr(module, "IN_MEMORY", 512)
    monkeypatch.setattr("bench_lib.store.files._IN_MEMORY", 512)
    store = Store(filled.root)
    with reading(store) as predictions:
        for seed in range(3):
            found, record = predictions(make(seed).run_id), make(seed)
            assert found is not None
            assert record.predictions is not None
            np.testing.assert_array_equal(found.values, record.predictions.values)
    assert verify(store) == []


def test_runs_are_merged_from_a_folder_and_back(store: Store, tmp_path: Path, make: Make) -> None:
    folder = Store(tmp_path / "results")
    folder.append(make(0))
    store.append(make(1))
    here = make(0, provenance={"cpu": "another"}, score=0.75)
    store.append(here)
    assert merge(store, folder).repeats == 1
    assert merge(folder, store).written == 1
    assert set(repeats(store)) == {here.run_id}
    assert verify(store) == verify(folder) == []


def test_looks_weights_and_repeats(store: Store, make: Make) -> None:
    assert read_looks(store.root, "a") == Looks()
    for taken in (5, 10):
        write_looks(store.root, "a", Looks((5, 10), taken))
        assert read_looks(store.root, "a").taken == taken
    record = make(weights={"a": np.arange(3, dtype=np.float32)})
    store.append(record)
    assert store.has_weights(record.run_id)
    np.testing.assert_array_equal(store.weights(record.run_id)["a"], [0, 1, 2])
    store.drop_weights([record.run_id, "none"])
    assert not store.has_weights(record.run_id)
    store_of_repeats(store, "0123abcd", 1).append(make())
    assert list(repeats(store)) == [record.run_id]


def test_a_name_is_held_by_one_at_a_time(bucket: Address) -> None:
    with Claims(bucket) as own, Claims(bucket) as other:
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda number: (own, other)[number % 2].take("a1"), range(16)))
        assert sum(taken) == 1
        holder = own if "a1" in own._held else other
        assert not holder.void("a1")
        holder.release("a1")
        assert other.void("a1")
        assert other.take("a1")
        assert claims.claimed(bucket) == {own.presence, other.presence, "a1"}
        with pytest.raises(BadStore, match="is being filled by a sweep"), Claims(bucket, COMPACTION):
            pass
    assert not list(bucket.rglob())


def test_a_claim_from_elsewhere_is_void_once_it_was_not_renewed_by_the_clock_of_the_server(
    bucket: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bucket / "claims" / "a1.json"
    path.create(Holder("elsewhere", 1, 1.0, "token").write().encode())
    # A clock that is a day ahead takes nothing away from anyone.
    monkeypatch.setattr(claims, "time", SimpleNamespace(time=lambda: time.time() + 86400))
    with Claims(bucket) as own:
        assert not own.take("a1")
        monkeypatch.setattr(claims, "LEASE", -1.0)
        assert own.take("a1")


def test_claims_are_renewed_and_never_in_place_of_anothers(
    bucket: Address, monkeypatch: pytest.MonkeyPatch, s3: Server
) -> None:
    monkeypatch.setattr(claims, "RENEWAL", 0.05)
    with Claims(bucket) as own:
        own.take("a1")
        path = bucket / "claims" / "a1.json"
        s3.plan.requests.clear()
        foreign = Holder("elsewhere", 1, 1.0, "token").write().encode()
        deadline = time.monotonic() + 60
        while not any(method == "PUT" and "a1" in key for method, key in list(s3.plan.requests)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        path.write_bytes(foreign)
        time.sleep(0.3)
        assert path.read_bytes() == foreign


@pytest.mark.parametrize("answer", [BUSY, BROKEN])
def test_a_server_that_is_busy_for_a_while_loses_nothing(
    store: Store, make: Make, s3: Server, answer: tuple[int, str, str]
) -> None:
    s3.plan.faults[:] = [Fault("PUT", times=2, answer=answer), Fault("GET", times=2, answer=answer)]
    store.append(make())
    assert store.ids() == {make().run_id}
    assert verify(store) == []


@pytest.mark.parametrize("answer", [BUSY, BROKEN])
def test_runs_that_a_server_does_not_take_are_held_and_written_later_or_elsewhere(
    store: Store, make: Make, s3: Server, answer: tuple[int, str, str]
) -> None:
    fault = Fault("PUT", "/runs/", answer=answer)
    s3.plan.faults.append(fault)
    with Keeper(store) as keeper:
        keeper.add(make(0))
        assert len(keeper.held) == 1
        fault.times = 0
        keeper.add(make(1))
    assert len(store.ids()) == 2
    fault.times = 1000
    with (
        pytest.raises(BadStore, match=rf"{answer[1]}.*1 runs are kept in .*stabbench store merge s3://"),
        Keeper(store) as keeper,
    ):
        keeper.add(make(2))


@pytest.mark.parametrize("cut", ["sending", "answering"])
@pytest.mark.parametrize("folder", ["/predictions/", "/runs/", "/claims/"])
def test_a_connection_cut_in_the_middle_of_a_put_neither_loses_nor_doubles(
    store: Store, make: Make, s3: Server, cut: str, folder: str
) -> None:
    s3.plan.faults.append(Fault("PUT", folder, times=1, cut=cut))
    with Claims(store.root) as own:
        assert own.take("a1")
        store.append(make())
        assert set(own.standing()) == {own.presence, "a1"}
    assert s3.plan.faults[0].times == 0
    assert len(store.files("runs")) == len(store.files("predictions")) == 1
    assert verify(store) == []


def test_a_connection_cut_for_good_is_told(store: Store, make: Make, s3: Server) -> None:
    s3.plan.faults.append(Fault("PUT", cut="sending"))
    with pytest.raises(Unwritable, match="cannot be written"):
        store.append(make())


@pytest.mark.parametrize(("answer", "said"), [(DENIED, "Access Denied"), (SKEWED, "RequestTimeTooSkewed")])
def test_a_bucket_without_rights_or_a_clock_that_is_off_is_refused_before_anything_is_trained(
    store: Store, s3: Server, answer: tuple[int, str, str], said: str
) -> None:
    s3.plan.faults.append(Fault("", answer=answer))
    with pytest.raises(BadStore, match=f"{store.root}/runs cannot be listed: .*{said}"):
        store.ids()
    with pytest.raises(BadStore, match=f"{store.root} cannot be written: .*{said}"):
        store.check_writable()


def test_a_bucket_that_does_not_exist_is_refused(s3: Server) -> None:
    store = Store(Address("s3://no-such-bucket/results"))
    with pytest.raises(BadStore, match="cannot be listed: NoSuchBucket"):
        store.ids()
    with pytest.raises(BadStore, match="cannot be written: NoSuchBucket"):
        store.check_writable()


def test_a_server_that_ignores_conditions_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put = connection.Bucket.put
    monkeypatch.setattr(connection.Bucket, "put", lambda self, key, content, _: put(self, key, content, "overwrite"))
    with pytest.raises(BadStore, match="ignores If-None-Match"):
        store.check_writable()


def test_what_is_missing_to_reach_a_bucket_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for endpoint in ("nonsense", "http://", "http://a b", "http://[", "ftp://host", "https:///x", ""):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(BadValue, match=r"AWS_ENDPOINT_URL is '.*'; allowed: a URL"):
            Store(Address("s3://bench/x"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9/")
    with pytest.raises(BadValue, match=r"AWS_ACCESS_KEY_ID is None; allowed: set with AWS_ENDPOINT_URL, or one of"):
        Store(Address("s3://bench/x"))
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert Store(Address("s3://bench/x")).root
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BenchError, match=r"az://bench cannot be reached with these AZURE_\* variables: .*Account"):
        Store(Address("az://bench/x"))
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(Unavailable, match=r"obstore.*pip install 'stabbench\[objects\]'"):
        Store(Address("s3://bench-2/x"))


def test_refusals_are_errors_of_the_system(bucket: Address) -> None:
    path = bucket / "a"
    with pytest.raises(FileNotFoundError):
        path.read_bytes()
    path.create(b"1")
    path.create(b"1")
    with pytest.raises(FileExistsError) as refused:
        path.create(b"2")
    assert refused.value.errno == errno.EEXIST
    tag = path.stat().tag
    assert path.swap(b"2", tag)
    assert not path.swap(b"3", tag)
    path.unlink()
    assert not path.swap(b"4", tag)
    assert not path.exists()


def test_many_runs_are_fetched_ahead_of_their_reader(bucket: Address) -> None:
    for number in range(20):
        (bucket / f"{number:02}").create(b"%d" % number)
    found = list(islice(module.ahead(sorted(bucket.rglob())), 20))
    assert [int(path.read_bytes()) for path in found if isinstance(path, Address)] == list(range(20))
    assert all(path.fetched is None for path in found if isinstance(path, Address))


def test_a_claim_that_is_taken_while_it_is_renewed_is_not_replaced(
    bucket: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, foreign = bucket / "claims" / "a1.json", Holder("elsewhere", 1, 1.0, "token")
    with Claims(bucket) as own:
        own.take("a1")
        holder = own._held["a1"]

        def read(_: Address) -> Holder:
            path.write_bytes(foreign.write().encode())
            return holder

        for act in (lambda: claims._renew(path, holder), lambda: own._break(path, holder)):
            path.write_bytes(holder.write().encode())
            with monkeypatch.context() as patch:
                patch.setattr(claims, "_holder", read)
                assert not act()
            assert path.read_bytes() == foreign.write().encode()


def test_a_lease_is_longer_than_a_request_may_take() -> None:
    assert connection.RETRIES["retry_timeout"].total_seconds() < LEASE
