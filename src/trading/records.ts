/**
 * Records by names that users and operators choose. A record of a state travels through JSON, so it is a
 * plain object, and a name may be `constructor` or `__proto__`.
 */

export function entryOf<Value> (record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

export function setEntry<Value> (record: Record<string, Value>, name: string, value: Value): void {
  if (name === '__proto__') {
    Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true })
  } else record[name] = value
}
