# Says in one sentence what a machine lacks before anything is installed on it.
set -eu
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || {
  echo "Sightline needs Python 3.11 to 3.13; $python is not one. Try: make run PYTHON=python3.12" >&2; exit 2; }
"$python" -c 'import ensurepip, venv' 2>/dev/null || {
  echo "$python has no venv module; install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 2; }
command -v g++ >/dev/null || {
  echo "hnswlib is compiled on installation; install a C++ compiler (Debian, Ubuntu: apt-get install g++)" >&2; exit 2; }
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
test -f "$headers/Python.h" || {
  echo "hnswlib is compiled on installation; install Python's headers (Debian, Ubuntu: apt-get install python3-dev)" >&2; exit 2; }
