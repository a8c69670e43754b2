# Types the commands of the README's section 'Run it in 60 seconds' as they stand; the argument is the repository to clone.
# Reads them from there, so a README that changes is typed as changed. Leaves a checkout in ~/work.
set -uo pipefail
repository=$1
cd ~/work || exit 1

mapfile -t commands < <(git -C "$repository" show HEAD:README.md | sed -n '/^## Run it/,/^## In your/p' |
                        sed -n '/^```sh/,/^```/{/^```/!p}' | sed "s#<this repository>#$repository#")
for command in "${commands[@]}"; do
  if [[ $command == *holiday.jpg* ]]; then  # the reader's own files
    mkdir folder && cp docs/demo.jpg folder/ && cp tests/data/face.jpg holiday.jpg && cp demo_out/annotated.mp4 drive.mp4
  fi
  echo "\$ $command"
  SECONDS=0
  eval "$command" </dev/null
  echo "== status $? after $SECONDS s, load $(cut -d " " -f 2 /proc/loadavg)"
done
.venv/bin/pip install --quiet hypothesis psutil pytest
.venv/bin/python tests/matrix/environments.py --here
