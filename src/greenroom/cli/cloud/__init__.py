"""What commands do with --provider aws; imported only when it is needed."""
