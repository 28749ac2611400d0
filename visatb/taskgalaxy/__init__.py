"""Instruction data from seed task types and a folder of pictures: TaskGalaxy."""
