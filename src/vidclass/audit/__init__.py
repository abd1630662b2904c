"""Everything wrong or odd with a source of labelled clips."""
