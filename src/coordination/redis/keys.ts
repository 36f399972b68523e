/**
 * All keys of the coordination. Each has a hash tag of its own, except that the two keys of a lease share
 * one, because one script uses both. They begin as the keys of the log do, so that one pattern of an access
 * list covers both.
 *
 * - `{tw:text:<key>}`: a string, kept until somebody takes it or it expires.
 * - `{tw:count:<key>}`: a string with the count of a window, until the window ends.
 * - `{tw:lease:<name>}:holder`: a hash with the holder of a lease and its note, for some seconds.
 * - `{tw:lease:<name>}:switch`: a string, `on` or `off`, as an operator or a holder that was done has
 *   switched it; it is kept for a day after a node last looked at it.
 * - `{tw:nodes}`: a hash of node → when its record expires, and the record.
 * - `{tw:questions}`: the channel of questions, which every node hears.
 * - `{tw:answers:<node>}`: the channel of answers to a node's questions.
 */
export class CoordinationKeys {
  constructor (private readonly prefix: string) {}

  get questions (): string { return `{${this.prefix}:questions}` }
  text (key: string): string { return `{${this.prefix}:text:${key}}` }
  count (key: string): string { return `{${this.prefix}:count:${key}}` }
  get nodes (): string { return `{${this.prefix}:nodes}` }
  lease (name: string): string { return `{${this.prefix}:lease:${name}}:holder` }
  leaseSwitch (name: string): string { return `{${this.prefix}:lease:${name}}:switch` }
  answers (node: string): string { return `{${this.prefix}:answers:${node}}` }
}

/** Returns every command that uses these keys, with the arguments that an access list judges. */
export function coordinationCommands (prefix: string): string[][] {
  const keys = new CoordinationKeys(prefix)
  const count = keys.count('')
  const channels = [keys.questions, keys.answers('')]
  const [lease, leaseSwitch] = [keys.lease(''), keys.leaseSwitch('')]
  return [
    ['PING'], ['TIME'], ['SCRIPT', 'LOAD', ''],
    ['EVAL', '', '1', count], ['EVALSHA', '', '1', count],
    ['INCR', count], ['PTTL', count], ['PEXPIRE', count, '1'],
    ['SET', keys.text(''), ''], ['GET', keys.text('')], ['GETDEL', keys.text('')],
    ['HGET', lease, ''], ['HSET', lease, '', ''], ['PEXPIRE', lease, '1'], ['DEL', lease],
    ['SET', leaseSwitch, ''], ['GET', leaseSwitch], ['PEXPIRE', leaseSwitch, '1'],
    ['HSET', keys.nodes, '', ''], ['HDEL', keys.nodes, ''], ['HGETALL', keys.nodes],
    ['PTTL', keys.nodes], ['PEXPIRE', keys.nodes, '1'],
    ...channels.flatMap(channel => [['SPUBLISH', channel, ''], ['SSUBSCRIBE', channel]])
  ]
}
