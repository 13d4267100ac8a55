#!/usr/bin/env bash
# Does D know more if it also sees G read the sequence?
#   examples/trials/reads_generator.sh MLE DATA DEST
# MLE is a checkpoint of a language model, DATA its data folder (out/data of examples/nottingham).
# For each of three seeds, four discriminators are trained on the samples of MLE:
#   plain     the paper's kind
#   surprise  its convolutions also read the log-probability that G gives each token
#   states    and G's hidden states
#   output    its last layer reads the means of both
# The last lines are the gain of each on the valid split, in nats per sequence. That split also chose
# the pool after which each was kept, so compare the gains with one another only.
# The same command continues what was interrupted. PYTHON is the interpreter; default: the
# repository's .venv. SEEDS is "1 2 3", SAMPLES (20000) is how many sequences of G the gain is
# estimated with; FORM and D hold further options of fairseq-train, FORM those of MLE.
set -Eeuo pipefail
[ $# = 3 ] || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
mle=$1 data=$2 dest=$3
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
default="$root/.venv/bin/python"
[ -x "$default" ] || default=python3
python="$(command -v "${PYTHON:-$default}")"
plugin="$root/examples/trials/reads_generator"
form=(--arch lstm_lm --decoder-embed-dim 64 --decoder-hidden-size 128 --decoder-out-embed-dim 128
    --dropout 0.3 --fixed-length 32 --tokens-per-sample 33)
[ -z "${FORM:-}" ] || read -ra form <<< "$FORM"
read -ra of_d <<< "${D:-}"
read -ra seeds <<< "${SEEDS:-1 2 3}"
mkdir -p "$dest"
trap 'echo "error: a command failed; what it said is in $dest" >&2' ERR

# discriminator NAME SEED OPTION...: of the training split and the samples of MLE, which stays as it is
discriminator() {
    local name="$1-$2" seed="$2"
    shift 2
    "$(dirname "$python")/fairseq-train" "$data" --user-dir "$plugin" --task seqgan "${form[@]}" \
        --num-workers 0 --log-format json --no-epoch-checkpoints --update-epoch-batch-itr True \
        --seed "$seed" --criterion seqgan --optimizer seqgan_adam --lr 0 --batch-size 2 \
        --batch-size-valid 256 --num-eval-samples 1000 --rounds 1 --g-steps 1 --rollouts 0 \
        --d-steps 0 --d-embed-dim 32 --d-kernel-widths 1,2,3,4,5,6,8,10,12,16,20,26,32 \
        --d-kernel-counts 40,40,40,40,40,40,40,40,40,40,40,40,40 --d-dropout 0.5 \
        --discriminator-lr 0.0005 --discriminator-weight-decay 0.3 --k 1 --pretrain-d-steps 40 \
        --pretrain-d-keep best --pretrain-d-select gain --pretrain-d-patience 8 "$@" "${of_d[@]}" \
        --finetune-from-model "$mle" --save-dir "$dest/$name" >> "$dest/$name.log" 2>&1
    trained+=("$dest/$name/checkpoint_last.pt")
}

trained=()
for seed in "${seeds[@]}"; do
    discriminator plain "$seed"
    for reads in surprise states output; do
        discriminator "$reads" "$seed" --discriminator reads_generator --d-reads "$reads" \
            --d-language-model "$mle"
    done
done
"$python" "$root/examples/trials/mean_log_odds.py" --user-dir "$plugin" --no-pairs \
    --samples "${SAMPLES:-20000}" "$mle" "$data" "${trained[@]}"
