/**
 * Standard Schema, version 1 (standardschema.dev): the interface that schemas of Zod, Valibot, ArkType and others have
 * in common. Its authors ask to copy it rather than to depend on it, so it is here in full, types only.
 */

/** A schema that takes `Input` and gives `Output`. */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': StandardSchemaV1.Props<Input, Output>
}

export declare namespace StandardSchemaV1 {
  /** What a schema tells under `~standard`. */
  interface Props<Input = unknown, Output = Input> {
    readonly version: 1
    /** The name of the library. */
    readonly vendor: string
    /** Never called with anything but the one value. */
    readonly validate: (value: unknown) => Result<Output> | Promise<Result<Output>>
    /** For the compiler alone. */
    readonly types?: Types<Input, Output> | undefined
  }

  /** Types that the compiler infers from a schema. */
  interface Types<Input = unknown, Output = Input> {
    readonly input: Input
    readonly output: Output
  }

  type Result<Output> = SuccessResult<Output> | FailureResult

  interface SuccessResult<Output> {
    readonly value: Output
    readonly issues?: undefined
  }

  interface FailureResult {
    readonly issues: readonly Issue[]
  }

  /** One thing that is wrong with a value. */
  interface Issue {
    readonly message: string
    /** Where in the value. */
    readonly path?: readonly (PropertyKey | PathSegment)[] | undefined
  }

  interface PathSegment {
    readonly key: PropertyKey
  }

  /** What a schema takes. */
  type InferInput<S extends StandardSchemaV1> = NonNullable<S['~standard']['types']>['input']
  /** What a schema gives. */
  type InferOutput<S extends StandardSchemaV1> = NonNullable<S['~standard']['types']>['output']
}
