"""What a process of a program needs in every world: values, references, and the roles behind the API's port."""
