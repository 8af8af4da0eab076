"""Moving models between frameworks: routes over the edges that plugins bring, and the proof that the model is the same.

`zoo.models.edges` is what an edge is asked; ``docs/models.md`` tells the rest.
"""
