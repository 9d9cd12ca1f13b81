"""CLINC150: what does a user want, and is it within scope at all?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

LABELS = """
    restaurant_reviews nutrition_info account_blocked oil_change_how time weather redeem_rewards interest_rate
    gas_type accept_reservations smart_home user_name report_lost_card repeat whisper_mode what_are_your_hobbies
    order jump_start schedule_meeting meeting_schedule freeze_account what_song meaning_of_life
    restaurant_reservation traffic make_call text bill_balance improve_credit_score change_language no
    measurement_conversion timer flip_coin do_you_have_pets balance tell_joke last_maintenance exchange_rate uber
    car_rental credit_limit oos shopping_list expiration_date routing meal_suggestion tire_change todo_list
    card_declined rewards_balance change_accent vaccines reminder_update food_last change_ai_name bill_due
    who_do_you_work_for share_location international_visa calendar translate carry_on book_flight insurance_change
    todo_list_update timezone cancel_reservation transactions credit_score report_fraud spending_history directions
    spelling insurance what_is_your_name reminder where_are_you_from distance payday flight_status find_phone
    greeting alarm order_status confirm_reservation cook_time damaged_card reset_settings pin_change
    replacement_card_duration new_card roll_dice income taxes date who_made_you pto_request tire_pressure
    how_old_are_you rollover_401k pto_request_status how_busy application_status recipe calendar_update play_music
    yes direct_deposit credit_limit_change gas pay_bill ingredients_list lost_luggage goodbye what_can_i_ask_you
    book_hotel are_you_a_bot next_song change_speed plug_type maybe w2 oil_change_when thank_you
    shopping_list_update pto_balance order_checks travel_alert fun_fact sync_device schedule_maintenance apr
    transfer ingredient_substitution calories current_location international_fees calculator definition next_holiday
    update_playlist mpg min_payment change_user_name restaurant_suggestion travel_notification cancel pto_used
    travel_suggestion change_volume
"""
"""The intents, in the order of the hub; `oos` is out of scope."""

CLINC_OOS = Task(
    name="clinc_oos",
    format=TEXT_CLASSIFICATION,
    description="150 intents of requests to an assistant, and requests out of scope; 15,250 for training (`plus`)",
    hub_id="clinc/clinc_oos",
    hub_config="plus",
    revision="155b9c710419136e17307b80d0a13e68cd46b4ec",
    columns=("text", "intent"),
    labels=tuple(LABELS.split()),
    metrics=("in_scope_accuracy", "out_of_scope_recall"),
    licence="CC BY 3.0",
    citation=(
        "@inproceedings{larson2019evaluation, author={Larson, Stefan and Mahendran, Anish and Peper, Joseph J. and"
        " Clarke, Christopher and Lee, Andrew and Hill, Parker and Kummerfeld, Jonathan K. and Leach, Kevin and"
        " Laurenzano, Michael A. and Tang, Lingjia and Mars, Jason}, title={An Evaluation Dataset for Intent"
        " Classification and Out-of-Scope Prediction}, booktitle={EMNLP-IJCNLP}, pages={1311--1316}, year={2019}}"
    ),
    eval_split="test",
)
