"""Makes people: head shape, appearance, clothes, landmarks."""
