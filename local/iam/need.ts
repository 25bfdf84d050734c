/** Condition keys of a request and their values. */
export type Context = Record<string, string | string[]>;

/** One action on one resource that the sender of a request has to be allowed. */
export interface Need {
  /** `s3:GetObject` */
  action: string;
  /** ARN, or `*` for an action that knows no resources */
  resource: string;
  /** beside what is true of every request */
  context?: Context;
  /** the service that acts, instead of the role that signed: `mediaconvert.amazonaws.com` */
  by?: string;
}
