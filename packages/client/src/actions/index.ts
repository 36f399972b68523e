export { importOrderKey, type SigningKey, verifyOrder } from '@tickwire/protocol/signing'
export { ActionError } from './action-queue.js'
export { Actions, type ActionsOptions, type OrderInput, type OrderName, type OrderTerms } from './actions.js'
