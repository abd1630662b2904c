"""The whole way on data it makes itself."""
