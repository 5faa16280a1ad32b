"""The use cases: what happens, in which order, when somebody asks for something."""
