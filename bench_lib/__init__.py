"""stabbench: how stable is the fine-tuning of a pre-trained language model, and what makes it more so."""

__version__ = "0.1.0"
