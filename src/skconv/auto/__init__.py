"""Recipe `auto`: comparison of recipes on validation images within a time limit."""
