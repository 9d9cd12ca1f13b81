"""The report's figures: data in, a Vega-Lite specification with its rows out; nothing is shown or written."""
