export { Random as Choices } from '../../src/sources/simulated/random.js'
