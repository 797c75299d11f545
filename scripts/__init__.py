"""What writes the generated pages, and what make needs to know of the requirements."""
