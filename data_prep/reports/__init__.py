"""Reports: tables of them, the impression inside, its sentences, and the exam they belong to."""
