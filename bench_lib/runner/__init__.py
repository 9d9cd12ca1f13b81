"""What to run, one run after another or many at a time, and what is made of several of them."""
