"""stabbench: how stable is the fine-tuning of a pre-trained language model, and what makes it more so."""

import logging

__version__ = "0.1.0"

# transformers loads torchao wherever it is installed, which then warns of kernels that are for other machines.
for _logger in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_logger).setLevel(logging.ERROR)
