/**
 * The keys of the store, all of them; each has a hash tag of its own. They begin as those of the log do, so that one
 * pattern of an access list covers both.
 *
 * | key | holds |
 * |---|---|
 * | `{tw:text:<key>}` | string: a text until it is taken, or its time is over |
 * | `{tw:count:<key>}` | string: how often was counted in a window, until that ends |
 * | `{tw:questions}` | channel on which every node hears what one asks |
 * | `{tw:answers:<node>}` | channel on which a node hears what the others answer |
 */
export class StoreKeys {
  constructor (private readonly prefix: string) {}

  get questions (): string { return `{${this.prefix}:questions}` }
  text (key: string): string { return `{${this.prefix}:text:${key}}` }
  count (key: string): string { return `{${this.prefix}:count:${key}}` }
  answers (node: string): string { return `{${this.prefix}:answers:${node}}` }
}

/** Every command that the store runs, as far as an access list judges it. */
export function storeCommands (prefix: string): string[][] {
  const keys = new StoreKeys(prefix)
  const count = keys.count('')
  return [
    ['PING'], ['SCRIPT', 'LOAD', ''], ['EVAL', '', '1', count], ['EVALSHA', '', '1', count], ['INCR', count], ['PTTL', count], ['PEXPIRE', count, '1'],
    ['SET', keys.text(''), ''], ['GETDEL', keys.text('')],
    ...[keys.questions, keys.answers('')].flatMap(channel => [['SPUBLISH', channel, ''], ['SSUBSCRIBE', channel]])
  ]
}
