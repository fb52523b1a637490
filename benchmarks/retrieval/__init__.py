"""How well the memory finds what answers a question, on data in LoCoMo's file format, beside plain BM25 and a peer."""
