"""How sure a number is: measures over weighted exams, resampled by patient."""
