# Completion of mqtt-relay(8) for fish: commands, options, files, and words for options with a fixed set of values.
# tests/completion compares it with the commands' --help.

set -l commands init size check config verify status top sessions session trace explain keys reload drop pause resume log-level audit help
set -l no_command "not __fish_seen_subcommand_from $commands"
set -l no_config "not __fish_seen_subcommand_from check print-default schema"
set -l no_part "not __fish_seen_subcommand_from verify show"
set -l no_change "not __fish_seen_subcommand_from import remove"

complete -c mqtt-relay -f
complete -c mqtt-relay -l help -d 'Print the options, examples and exit statuses'
complete -c mqtt-relay -n $no_command -l version -d 'Print the version'
complete -c mqtt-relay -n "not __fish_seen_subcommand_from size audit help print-default schema; or __fish_seen_subcommand_from verify show" \
    -l config -rF -d 'The configuration of the daemon'

complete -c mqtt-relay -n $no_command -a init -d 'Write relayd.json'
complete -c mqtt-relay -n $no_command -a size -d 'How many gateways do so many devices need?'
complete -c mqtt-relay -n $no_command -a check -d 'Would both daemons start and serve?'
complete -c mqtt-relay -n $no_command -a config -d 'Print or check a configuration'
complete -c mqtt-relay -n $no_command -a verify -d 'Would this certificate chain be accepted?'
complete -c mqtt-relay -n $no_command -a status -d 'What relayd does now'
complete -c mqtt-relay -n $no_command -a top -d 'Live rates, workers, refusals and the busiest devices'
complete -c mqtt-relay -n $no_command -a sessions -d 'List the sessions'
complete -c mqtt-relay -n $no_command -a session -d 'Everything that is known of one session'
complete -c mqtt-relay -n $no_command -a trace -d 'Follow one device live'
complete -c mqtt-relay -n $no_command -a explain -d 'Why was this device last refused or closed?'
complete -c mqtt-relay -n $no_command -a keys -d 'List the keys'
complete -c mqtt-relay -n $no_command -a reload -d 'Reload configuration and certificates'
complete -c mqtt-relay -n $no_command -a drop -d 'End the sessions of a client id, or one session'
complete -c mqtt-relay -n $no_command -a pause -d 'Let new connections wait'
complete -c mqtt-relay -n $no_command -a resume -d 'Accept new connections again'
complete -c mqtt-relay -n $no_command -a log-level -d 'Show or change the level of the log'
complete -c mqtt-relay -n $no_command -a audit -d 'Verify or show the audit'
complete -c mqtt-relay -n $no_command -a help -d 'Explain a command'
complete -c mqtt-relay -n '__fish_seen_subcommand_from help' -a 'init size check config verify status top sessions session trace explain keys reload drop pause resume log-level audit'

complete -c mqtt-relay -n '__fish_seen_subcommand_from init' -l remote -x -d 'The remote broker'
complete -c mqtt-relay -n '__fish_seen_subcommand_from init' -l remote-ca -rF -d 'The CAs of the remote broker'
complete -c mqtt-relay -n '__fish_seen_subcommand_from init' -l device-ca -rF -d 'The CAs of the devices'
complete -c mqtt-relay -n '__fish_seen_subcommand_from init' -l listener-certificate -rF -d 'The chain that relayd shows'
complete -c mqtt-relay -n '__fish_seen_subcommand_from init' -l bind -x -d 'Where devices connect'
complete -c mqtt-relay -n '__fish_seen_subcommand_from init' -l local -x -d 'The broker of devices without a key here'
complete -c mqtt-relay -n '__fish_seen_subcommand_from init' -l force -d 'Replace existing files'

set -l size '__fish_seen_subcommand_from size'
complete -c mqtt-relay -n $size -l devices -x -d 'Of the whole fleet'
complete -c mqtt-relay -n $size -l nodes -x -d Gateways
complete -c mqtt-relay -n $size -l spare -x -d 'Of these, may be away'
complete -c mqtt-relay -n $size -l cores -x -d 'Of each node'
complete -c mqtt-relay -n $size -l messages-per-second -x -d 'Of the whole fleet'
complete -c mqtt-relay -n $size -l message-size -x -d 'Of a payload'
complete -c mqtt-relay -n $size -l known -x -d 'Devices that their worker has seen before'
complete -c mqtt-relay -n $size -l reconnect-within -x -d 'After this, all are connected'
complete -c mqtt-relay -n $size -l remote-addresses -x -d 'Of the remote brokers'
complete -c mqtt-relay -n $size -l load -x -d 'Of the cores, at most busy'
complete -c mqtt-relay -n $size -l cost -x -d 'A figure of your own'

complete -c mqtt-relay -n '__fish_seen_subcommand_from check print-default schema' -a 'keyd relayd' -d 'This daemon only'
complete -c mqtt-relay -n '__fish_seen_subcommand_from check explain' -l keyd-config -rF -d 'The configuration of keyd'
complete -c mqtt-relay -n '__fish_seen_subcommand_from check' -l relayd-config -rF -d 'The configuration of relayd'
set -l check '__fish_seen_subcommand_from check; and not __fish_seen_subcommand_from config'
complete -c mqtt-relay -n $check -l client -x -d 'Check what this one device needs'
complete -c mqtt-relay -n $check -l certificate -rF -d 'The chain of the device'
complete -c mqtt-relay -n $check -l connect -d 'Also send a CONNECT'
complete -c mqtt-relay -n $check -l warnings-as-errors -d 'Exit status 2 if there are warnings'
complete -c mqtt-relay -n '__fish_seen_subcommand_from size check status top sessions session trace explain keys log-level' -l json -d 'Print JSON'
complete -c mqtt-relay -n '__fish_seen_subcommand_from verify show' -l json -d 'Print JSON'

set -l config "__fish_seen_subcommand_from config; and $no_config"
complete -c mqtt-relay -n $config -a check -d 'Would the daemons understand it?'
complete -c mqtt-relay -n $config -a print-default -d 'All settings at their defaults'
complete -c mqtt-relay -n $config -a schema -d 'The JSON Schema'

set -l verify '__fish_seen_subcommand_from verify; and not __fish_seen_subcommand_from audit'
complete -c mqtt-relay -n $verify -F
complete -c mqtt-relay -n $verify -l as -xa 'device remote' -d 'Whose chain it is'
complete -c mqtt-relay -n $verify -l name -x -d 'The name it must have'
complete -c mqtt-relay -n $verify -l at -x -d When
complete -c mqtt-relay -n $verify -l cafile -rF -d CAs
complete -c mqtt-relay -n $verify -l crlfile -rF -d CRLs
complete -c mqtt-relay -n $verify -l listener -x -d 'The listener of the device'
complete -c mqtt-relay -n $verify -l depth -x -d 'Certificates between leaf and root'
complete -c mqtt-relay -n $verify -l partial-chain -d 'A chain may end at any of the CAs'
complete -c mqtt-relay -n $verify -l crl-check -xa 'leaf chain' -d 'Check CRLs for the leaf or for the chain'

complete -c mqtt-relay -n '__fish_seen_subcommand_from top' -l interval -x -d 'Between two samples'
complete -c mqtt-relay -n '__fish_seen_subcommand_from top' -l sort -xa 'bytes messages total age client' -d 'The devices by'
complete -c mqtt-relay -n '__fish_seen_subcommand_from top' -l count -x -d 'End after so many samples'
complete -c mqtt-relay -n '__fish_seen_subcommand_from sessions' -l client -x -d 'Only client ids like this one'
complete -c mqtt-relay -n '__fish_seen_subcommand_from sessions' -l limit -x -d 'At most so many sessions'
complete -c mqtt-relay -n '__fish_seen_subcommand_from pause resume' -l listener -x -d 'Only this listener'
complete -c mqtt-relay -n '__fish_seen_subcommand_from trace' -l topics -d 'Topics, too'
complete -c mqtt-relay -n '__fish_seen_subcommand_from trace' -l for -x -d 'How long'
complete -c mqtt-relay -n '__fish_seen_subcommand_from log-level' -a 'debug info warning error default' -d Level
complete -c mqtt-relay -n '__fish_seen_subcommand_from log-level' -l client -x -d 'Only of the sessions of this client id'
complete -c mqtt-relay -n '__fish_seen_subcommand_from log-level' -l for -x -d 'How long'
complete -c mqtt-relay -n '__fish_seen_subcommand_from drop' -l session -x -d 'Only this session'

set -l import '__fish_seen_subcommand_from keys; and __fish_seen_subcommand_from import'
set -l remove '__fish_seen_subcommand_from keys; and __fish_seen_subcommand_from remove'
complete -c mqtt-relay -n "__fish_seen_subcommand_from keys; and $no_change" -l wide -d 'Whole hashes, on a terminal as well'
complete -c mqtt-relay -n "__fish_seen_subcommand_from keys; and $no_change" -a import -d 'Put keys where keyd reads them'
complete -c mqtt-relay -n "__fish_seen_subcommand_from keys; and $no_change" -a remove -d 'Remove the keys of client ids'
complete -c mqtt-relay -n $import -F
complete -c mqtt-relay -n $import -l as -x -d 'The key is of this client id'
complete -c mqtt-relay -n $import -l certificates -rF -d 'Where the certificates are'
complete -c mqtt-relay -n $import -l replace -d 'Replace keys that are there already'
complete -c mqtt-relay -n $import -l all-or-nothing -d 'Write nothing if one is refused'
complete -c mqtt-relay -n $import -l dry-run -d 'Write nothing'
complete -c mqtt-relay -n $remove -l from-file -rF -d 'More client ids, one a line'

set -l show '__fish_seen_subcommand_from audit; and __fish_seen_subcommand_from show'
complete -c mqtt-relay -n "__fish_seen_subcommand_from audit; and $no_part" -a verify -d 'Is the audit complete and unchanged?'
complete -c mqtt-relay -n "__fish_seen_subcommand_from audit; and $no_part" -a show -d 'Show the audit, filtered'
complete -c mqtt-relay -n '__fish_seen_subcommand_from audit; and __fish_seen_subcommand_from verify show' -F
complete -c mqtt-relay -n $show -l client -x -d 'Only this client id'
complete -c mqtt-relay -n $show -l since -x -d 'Only from this time on'
complete -c mqtt-relay -n $show -l until -x -d 'Only up to this time'
complete -c mqtt-relay -n $show -l denied -d 'Only what was not answered with ok'
complete -c mqtt-relay -n $show -l worker -x -d 'Only this worker'
complete -c mqtt-relay -n $show -l handshake -x -d 'Only this handshake of a device'
complete -c mqtt-relay -n $show -l event -xa 'start connect lookup sign malformed resumed' -d 'Only this event'
complete -c mqtt-relay -n $show -l limit -x -d 'Only the last lines'
