"""Human judgement: a page on which people judge items human or machine, and their answers."""
