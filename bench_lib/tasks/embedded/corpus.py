"""wip"""
from __future__ import annotations
import sys, time
import numpy as np
