"""Images, data sets, slides and subsets; free of torch."""
