"""A graph as formulas: the derivation of any gradient, as data, text, LaTeX and pages, and as an exercise."""
