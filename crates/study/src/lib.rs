//! Simulation studies: study files, designs, metrics, summaries and checks
