/** Returns those of some fields that an object has. */
export function fieldsOf<Given extends object, Name extends keyof Given> (
  given: Given, names: readonly Name[]
): Pick<Given, Name> {
  const had = names.filter(name => given[name] !== undefined)
  return Object.fromEntries(had.map(name => [name, given[name]])) as Pick<Given, Name>
}
