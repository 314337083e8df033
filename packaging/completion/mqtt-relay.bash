# Completion of mqtt-relay(8) for bash: commands, options, files, and words for options with a fixed set of values.
# tests/completion compares it with the commands' --help.

_mqtt_relay() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' choices='' i
  # The command is the first word that is neither an option nor the value of --config; after `audit` and `config` it is two
  # words, and after `keys` it may be.
  for ((i = 1; i < COMP_CWORD; i++)); do
    case $command:${COMP_WORDS[i]} in
      :--config | audit:--config | keys:--config | config:--config) ((i++)) ;;
      *:-*) ;;
      :*) command=${COMP_WORDS[i]} ;;
      audit:* | config:* | keys:import | keys:remove) command="$command ${COMP_WORDS[i]}" ;;
    esac
  done

  COMPREPLY=()
  case $before in
    --config | --keyd-config | --relayd-config | --remote-ca | --device-ca | --listener-certificate | --cafile | --crlfile | --certificate | --certificates | --from-file)
      _mqtt_relay_files "$word"
      return ;;
    --as)
      [[ $command == verify ]] || return
      choices='device remote' ;;
    --crl-check) choices='leaf chain' ;;
    --sort) choices='bytes messages total age client' ;;
    --event) choices='start connect lookup sign malformed resumed' ;;
    --devices | --nodes | --spare | --cores | --messages-per-second | --message-size | --known | --reconnect-within | --remote-addresses | --load | --cost) return ;;
    --remote | --bind | --local | --listener | --name | --at | --depth | --client | --since | --until | --worker | --handshake | --limit | --session | --for | --interval | --count) return ;;
  esac
  if [[ -z $choices ]]; then
    case $command in
      '') choices='init size check config verify status top sessions session trace explain keys reload drop pause resume log-level audit help --config --help --version' ;;
      help) choices='init size check config verify status top sessions session trace explain keys reload drop pause resume log-level audit' ;;
      init) choices='--remote --remote-ca --device-ca --listener-certificate --bind --local --force --config --help' ;;
      size) choices='--devices --nodes --spare --cores --messages-per-second --message-size --known --reconnect-within --remote-addresses --load --cost --json --help' ;;
      check) choices='keyd relayd --keyd-config --relayd-config --config --client --certificate --connect --json --warnings-as-errors --help' ;;
      config) choices='check print-default schema --help' ;;
      'config check') choices='keyd relayd --keyd-config --relayd-config --config --json --help' ;;
      'config print-default' | 'config schema') choices='keyd relayd --help' ;;
      verify)
        choices='--as --listener --name --at --cafile --crlfile --depth --partial-chain --crl-check --json --config --help'
        [[ $word == -* ]] || _mqtt_relay_files "$word" ;;
      status | session) choices='--json --config --help' ;;
      top) choices='--interval --sort --count --json --config --help' ;;
      trace) choices='--topics --for --json --config --help' ;;
      explain) choices='--keyd-config --json --config --help' ;;
      sessions) choices='--client --limit --json --config --help' ;;
      keys) choices='import remove --wide --json --config --help' ;;
      'keys import')
        choices='--as --certificates --replace --all-or-nothing --dry-run --json --config --help'
        [[ $word == -* ]] || _mqtt_relay_files "$word" ;;
      'keys remove') choices='--from-file --json --config --help' ;;
      reload) choices='--config --help' ;;
      log-level)
        choices='debug info warning error default --client --for --json --config --help' ;;
      pause | resume) choices='--listener --config --help' ;;
      drop) choices='--session --config --help' ;;
      audit) choices='verify show --help' ;;
      'audit verify')
        choices='--json --config --help'
        [[ $word == -* ]] || _mqtt_relay_files "$word" ;;
      'audit show')
        choices='--client --since --until --denied --worker --event --handshake --limit --json --config --help'
        [[ $word == -* ]] || _mqtt_relay_files "$word" ;;
    esac
  fi
  local choice
  for choice in $choices; do
    [[ $choice == "$word"* ]] || continue
    [[ $choice != -* || $word == -* ]] || continue  # options only after a dash: they would hide the files
    COMPREPLY+=("$choice")
  done
}

_mqtt_relay_files() {  # WORD
  local file
  while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$1")
  compopt -o filenames 2>/dev/null || true
}

complete -F _mqtt_relay mqtt-relay
