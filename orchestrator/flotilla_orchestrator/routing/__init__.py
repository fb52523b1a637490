"""From free words to playbooks: `flotilla ask`."""
