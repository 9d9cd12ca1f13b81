"""Statistics over seeds: arrays in, arrays or floats out, and an explicit generator wherever chance is drawn on."""
