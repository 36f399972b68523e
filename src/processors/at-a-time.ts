/**
 * Calls a function for each item, and for `most` of them at the same time: the log answers many reads in one
 * round trip.
 */
export async function atATime<Item> (
  most: number, items: readonly Item[], visit: (item: Item) => Promise<unknown>
): Promise<void> {
  for (let at = 0; at < items.length; at += most) await Promise.all(items.slice(at, at + most).map(visit))
}
