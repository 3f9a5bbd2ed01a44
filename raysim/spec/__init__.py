"""The nouns that every layer shares: ids, resources, nodes, tasks, actors. Never behaviour."""
