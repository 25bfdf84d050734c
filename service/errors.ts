/** One entry of `errors`: a JSON pointer into the request (RFC 6901) and a sentence. */
export interface FieldError {
  pointer: string;
  message: string;
  /** stable and snake_case, where a client may want to act on it */
  code?: string;
}

/** A known, permanent failure: told to the caller as RFC 9457 problem details, never retried. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly code: string;
  readonly errors: FieldError[] | undefined;

  /** `code` is contract (snake_case), `detail` is prose for a person. */
  constructor(status: number, code: string, detail: string, errors?: FieldError[]) {
    super(detail);
    this.status = status;
    this.code = code;
    this.errors = errors;
  }
}

export const invalid = (errors: FieldError[]) =>
  new Problem(400, 'invalid_request', errors.map((error) => error.message).join(' '), errors);
export const forbidden = (detail: string) => new Problem(403, 'forbidden', detail);
export const notFound = (code: string, detail: string) => new Problem(404, code, detail);
export const conflict = (code: string, detail: string) => new Problem(409, code, detail);
