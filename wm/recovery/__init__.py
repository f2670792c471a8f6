"""What follows a failure: whose fault it was, another attempt or the end, black holes, replanning."""
