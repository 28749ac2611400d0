"""Conversations that are hard to tokenise and to mask: questions and answers in turn."""

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)

CONVERSATIONS = {
    "one turn": ("<image>\nWhat is this?", "a red square"),
    "image at the end": ("What is this?\n<image>", "a red square"),
    "image in the middle": ("What <image> is this?", "[0.25, 0.50, 0.44, 1.00]"),
    "text only": ("What is this?", "Nothing."),
    "many turns": ("<image>\nA?", "a", "USER B?", "b b", "C?", "c c c", "D?\nE?", "d\n\ne"),
    "image in a later turn": ("Hello", "Hi.", "What is <image> this?", "a square", "Sure?", "yes"),
    "lines": ("Read\n\nthe\n lines", "1. one\n2. two\n\n\t- three\n  four"),
    "spaces inside": ("two  spaces   three", "a  b   c    d"),
    "roles in the question": ("<image>\nWho is USER: and who ASSISTANT?", "nobody"),
    "roles in the answer": ("Who?", "USER: asks, ASSISTANT:answers, USER:", "ASSISTANT", "USER"),
    "system words": (SYSTEM, SYSTEM),
    "not ASCII": ("<image>\nGröße? 東京 Москва ¿qué?", "naïve élan 東京 ½ 🙂🙃 \u200b é"),
    "begins with a symbol": ("?", "🙂", "!", "\u200bx", ".", "1"),
    "numbers": ("1 + 1 = ?", "2", "3.14159 x 2?", "6.28318"),
    "a mark in words": ("What is <s> or <unk>?".replace("<", "< "), "< image >, </ s>"),
    "very long": ("<image>\nTell", "once upon a time " * 300 + ".", "more", "the end " * 100 + "."),
}
