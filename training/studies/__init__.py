"""Studies of our networks: ablations, groups of people, crop width, filtering over time, other networks."""
