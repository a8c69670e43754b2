# Types the commands of the README's first block of `sh` as they stand, and fails where there are none. Arguments: the repository to clone,
# and --list to print the commands only. Reads them from there, so a README that changes is typed as changed. Leaves a checkout in ~/work.
set -uo pipefail
repository=$1

mapfile -t commands < <(git -C "$repository" show HEAD:README.md |
                        awk '/^```/ { if (inside) exit; inside = $0 == "```sh"; next } inside' | sed "s#<this repository>#$repository#")
if [ ${#commands[@]} -eq 0 ]; then
  echo "README.md of $repository has no block of sh" >&2
  exit 1
fi
if [ "${2:-}" = --list ]; then
  printf '%s\n' "${commands[@]}"
  exit
fi
cd ~/work || exit 1
for command in "${commands[@]}"; do
  if [[ $command == *holiday.jpg* ]]; then  # the reader's own files
    mkdir folder && cp tests/data/face.jpg folder/ && cp tests/data/face.jpg holiday.jpg && cp demo_out/annotated.mp4 drive.mp4
  fi
  echo "\$ $command"
  SECONDS=0
  eval "$command" </dev/null
  echo "== status $? after $SECONDS s, load $(cut -d " " -f 2 /proc/loadavg)"
done
.venv/bin/pip install --quiet hypothesis psutil pytest
.venv/bin/python tests/matrix/environments.py --here
