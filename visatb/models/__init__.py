"""Vision-language models: families, chat templates, the hub, assembly from components, tiny models."""
