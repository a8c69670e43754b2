"""People: head shape, appearance, clothes, landmarks."""
