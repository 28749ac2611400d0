"""What tests share: examples, servers that answer, folders made once, ways to run the workflow."""
