# What a fresh Debian machine with python3.11, pip and git lacks. What cannot be installed is a failure.

install_tools() {
    if ! command -v dot >/dev/null || ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
        apt-get update -qq || return
        apt-get install -y -qq graphviz spin gcc libc6-dev >/dev/null || return
    fi
    dot -V && spin -V && git --version || return
    python3 -m pip install --quiet --root-user-action=ignore uv || return
    uv sync --locked --quiet --group bench --group docs && uv --version
}
