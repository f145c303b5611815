"""Writes hyperllm/llm/composition.inc: the canonical compositions of Unicode's Basic Multilingual Plane."""
import unicodedata

pairs = []
for code in range(0x80, 0x10000):
    if 0xAC00 <= code <= 0xD7A3:  # Hangul is composed by rule, and no tag needs it decomposed
        continue
    parts = unicodedata.decomposition(chr(code))
    if not parts or parts.startswith("<"):
        continue
    points = [int(part, 16) for part in parts.split()]
    if len(points) == 2 and unicodedata.normalize("NFC", "".join(map(chr, points))) == chr(code):
        pairs.append((*points, code))

print("// Canonical pairs of the Basic Multilingual Plane without Hangul, sorted: {letter, mark, composed}.")
print("// Made by:  python3 tools/make_composition.py > hyperllm/llm/composition.inc  "
      f"(Unicode {unicodedata.unidata_version})")
line = ""
for letter, mark, code in sorted(pairs):
    text = f"{{0x{letter:x},0x{mark:x},0x{code:x}}},"
    if len(line) + len(text) > 108:
        print(line)
        line = ""
    line += text
print(line)
