/** The package ships no types; its main is `module.exports = validator`. */
declare module 'asl-validator' {
  function validator(definition: unknown): { isValid: boolean; errors: unknown[] };
  export = validator;
}
